// The way through a study: consent, sound check, practice, pages, comments, end.
"use strict";

const form = data.study;
const query = new URLSearchParams(location.search);
const page = document.getElementById("page");
const saying = document.getElementById("status");
const record = new Record(data, query, document.body);

function say(text) {
  saying.textContent = text;
}

// Every page begins with its heading, which is where the keyboard is then.
function show(heading, ...children) {
  const title = make("h1", { textContent: heading, tabIndex: -1 });
  page.replaceChildren(title, ...children);
  say("");
  scrollTo(0, 0);
  title.focus({ preventScroll: true });
}

function showProgress() {
  const box = document.getElementById("progress");
  const total = record.plan.trials.length;
  const on = record.state.step === "trials" && record.done < total;
  box.hidden = !on;
  if (!on) return;
  const [bar, text] = box.children;
  bar.max = total;
  bar.value = record.done;
  text.textContent = fill(words.progress, { number: record.done + 1, total });
}

function go(step) {
  record.state.step = step;
  record.save();
  STEPS[step]();
}

function consent() {
  const tick = make("input", { type: "checkbox", id: "agree" });
  const start = button(words.start, async () => {
    if (!tick.checked) {
      say(words.consent_missing);
      tick.focus();
      return;
    }
    start.disabled = true;
    await record.choosePlan();
    record.state.consented = new Date().toISOString();
    go("check");
  });
  const contact = form.contact && make("p", { className: "contact" },
    make("b", { textContent: words.contact }), ` ${form.contact}`);
  show(words.consent_heading, ...paragraphs(form.consent), ...(contact ? [contact] : []),
    make("label", { className: "tick" }, tick, make("span", { textContent: words.consent_tick })),
    make("div", { className: "row" }, start));
}

function radios(name, options) {
  const row = make("div", { className: "choices" });
  for (const [value, label] of options) {
    row.append(make("label", { className: "choice" },
      make("input", { type: "radio", name, value }), make("span", { textContent: label })));
  }
  return row;
}

function check() {
  const { file, bursts } = data.page.check;
  const sound = element("sound", file);
  const play = button(words.check_play, () => {
    sound.currentTime = 0;
    sound.play().catch(() => say(fill(words.not_loaded, { label: words.sound })));
  }, "play");
  sound.addEventListener("playing", () => play.classList.add("playing"));
  sound.addEventListener("ended", () => {
    play.classList.remove("playing");
    play.textContent = words.check_again;
  });
  const device = make("fieldset", {}, make("legend", { textContent: words.check_device }),
    radios("device", [["headphones", words.check_headphones],
      ["loudspeakers", words.check_loudspeakers], ["built-in", words.check_built_in]]));
  const count = make("fieldset", {}, make("legend", { textContent: words.check_question }),
    radios("bursts", Array.from({ length: 6 }, (_, k) => [k + 1, k + 1])));
  const chosen = (name) => page.querySelector(`input[name=${name}]:checked`);
  const next = button(words.next, () => {
    if (!chosen("device") || !chosen("bursts")) {
      say(words.check_missing);
      page.querySelector(`input[name=${chosen("device") ? "bursts" : "device"}]`).focus();
      return;
    }
    record.state.checks += 1;
    record.state.device = chosen("device").value;
    record.save();
    if (Number(chosen("bursts").value) !== bursts) {
      chosen("bursts").checked = false;
      say(words.check_wrong);
      play.focus();
      return;
    }
    sound.pause();
    go("practice");
  });
  preload(data.media, [...record.plan.practice.media, record.plan.practice.prompt].filter(Boolean));
  show(words.check_heading, device, make("p", { textContent: words.check_volume }),
    make("div", { className: "row" }, play), count, make("div", { className: "row" }, next));
}

// One page; calls `finished` with its answers, or `skipped` with the reason.
function trialPage(trial, heading, before, finished, skipped) {
  const { state } = record;
  if (!state.draft || state.draft.trial !== trial.trial) {
    state.draft = { trial: trial.trial, answers: {}, plays: {}, spent: 0 };
  }
  const { draft } = state;
  const began = performance.now() - draft.spent;
  const spent = () => Math.round(performance.now() - began);
  const hint = make("p", { className: "hint" });
  const update = () => {
    questions.unlock(stage);
    const alone = questions.rated && trial.media.length > 1;
    hint.textContent = questions.locked ? (alone ? words.hint_play : words.hint_play_all) : "";
    next.classList.toggle("waiting", Boolean(stage.missing || questions.missing));
  };
  const changed = () => {
    draft.spent = spent();
    record.save();
    say("");
    update();
  };
  const stage = new Stage(trial, data.media, draft.plays, {
    heard: changed,
    skip: (reason) => {
      stage.close();
      skipped({ trial: trial.trial, reason, skipped: new Date().toISOString() });
    },
  });
  const questions = new Questions(form, trial, draft.answers, changed);
  stage.onPicture = (name) => questions.press(name);
  const next = button(words.next, () => {
    const unheard = stage.missing;
    const unanswered = unheard ? null : questions.missing;
    if (unheard) {
      say(fill(words.hint_not_played, { label: unheard.label }));
      unheard.button.focus();
    } else if (unanswered) {
      say(words.hint_missing);
      unanswered.focus();
    } else if (!questions.locked) {
      const plays = Object.fromEntries(trial.media.map((name) => [name, draft.plays[name]]));
      stage.close();
      finished({
        trial: trial.trial,
        answered: new Date().toISOString(),
        rt_ms: spent(),
        plays,
        prompt_plays: trial.prompt ? draft.plays[trial.prompt] : 0,
        answers: questions.answers,
      });
    }
  });
  show(heading, ...before, stage.root, hint, questions.root,
    make("div", { className: "row" }, next));
  update();
}

function mediaOf(trial) {
  return trial ? [...trial.media, trial.prompt].filter(Boolean) : [];
}

function practice() {
  const on = () => go("ready");
  const before = [
    ...paragraphs(form.instructions),
    make("p", { className: "note", textContent: words.practice_note }),
  ];
  trialPage(record.plan.practice, words.practice_heading, before, on, on);
}

function readyToBegin() {
  record.state.draft = null;
  preload(data.media, mediaOf(record.plan.trials[0]));
  const total = record.plan.trials.length;
  show(words.ready_heading, ...paragraphs(fill(words.ready_text, { total })),
    make("div", { className: "row" }, button(words.begin, () => go("trials"))));
}

function trials() {
  const { state } = record;
  showProgress();
  const number = record.done;
  const trial = record.plan.trials[number];
  if (!trial) {
    go("comments");
    return;
  }
  const next = () => {
    state.draft = null;
    go("trials");
  };
  const total = record.plan.trials.length;
  const heading = fill(words.progress, { number: number + 1, total });
  trialPage(trial, heading, [], (answer) => {
    state.trials.push(answer);
    record.save();
    record.sendSoFar();
    next();
  }, (reason) => {
    state.skipped.push(reason);
    next();
  });
  preload(data.media, mediaOf(record.plan.trials[number + 1]));
}

function comments() {
  showProgress();
  const text = make("textarea", { id: "comment", rows: 5, maxLength: 5000, value: record.state.comment });
  text.addEventListener("input", () => {
    record.state.comment = text.value;
    record.save();
  });
  show(words.comment_heading,
    make("label", { htmlFor: "comment", textContent: words.comment_label }), text,
    make("div", { className: "row" }, button(words.finish, () => {
      record.state.finished = new Date().toISOString();
      go("done");
    })));
}

function done() {
  const { state } = record;
  const told = make("div", { className: "outcome" });
  const rewards = make("div");
  const files = make("div", { className: "row" },
    button(words.download_json, () => record.download("json"), record.collectUrl ? "quiet" : ""),
    button(words.download_csv, () => record.download("csv"), "quiet"));
  const again = button(words.next_person, () => {
    if (state.sent || state.downloaded || confirm(words.next_person_sure)) {
      record.forget();
      go("consent");
    }
  }, "quiet");
  const rewarded = () => {
    const { code, redirect } = data.page;
    if (code) {
      rewards.append(make("p", { textContent: words.code }), make("p", { className: "code", textContent: code }));
    }
    if (redirect) {
      const link = make("a", { className: "button", href: passedOn(redirect), textContent: words.return });
      rewards.append(make("div", { className: "row" }, link));
    }
  };
  const send = async () => {
    told.replaceChildren(make("p", { textContent: words.sending }));
    if (await record.sendAll()) {
      told.replaceChildren(make("p", { className: "good", textContent: words.sent }));
      rewarded();
    } else {
      told.replaceChildren(make("p", { className: "alert", textContent: words.not_sent }),
        make("p", { textContent: words.please_download_too }),
        make("div", { className: "row" }, button(words.send_again, send)));
    }
  };
  show(words.thanks_heading, ...paragraphs(form.thanks), told, rewards, files,
    ...(record.participant ? [] : [make("div", { className: "row end" }, again)]));
  if (record.collectUrl && !state.sent) {
    send();
  } else {
    const text = record.collectUrl ? words.sent : words.please_download;
    told.append(make("p", { className: record.collectUrl ? "good" : "", textContent: text }));
    rewarded();
  }
}

// What the platform told this page, its own site is told again.
function passedOn(address) {
  const url = new URL(address, location.href);
  for (const [name, value] of Object.entries(record.state.platform)) {
    if (!url.searchParams.has(name)) url.searchParams.set(name, value);
  }
  return url.href;
}

const STEPS = { consent, check, practice, ready: readyToBegin, trials, comments, done };

function begin() {
  if (!record.hasPlan()) {
    show(words.consent_heading,
      make("p", { className: "alert", textContent: fill(words.no_plan, { plan: query.get("plan") }) }));
    return;
  }
  record.save();
  const step = STEPS[record.state.step] && record.resumed ? record.state.step : "consent";
  STEPS[step]();
  if (record.resumed && !["consent", "done"].includes(step)) {
    const over = button(words.start_over, () => {
      if (confirm(words.start_over_sure)) {
        record.forget();
        document.getElementById("progress").hidden = true;
        go("consent");
      }
    }, "link");
    page.prepend(make("p", { className: "note" }, `${words.resumed} `, over));
  }
  if (!record.stored) page.prepend(make("p", { className: "alert", textContent: words.no_storage }));
  addEventListener("beforeunload", (event) => {
    if (!record.stored && record.state.consented && !record.state.downloaded && !record.state.sent) {
      event.preventDefault();
    }
  });
}

begin();
