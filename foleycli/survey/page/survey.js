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

// Says what is still to be done, and leads there. Only where that is too far from the button that
// was pressed does the message lie over what is between.
function ask(text, target) {
  say(text);
  scrollTo(0, document.documentElement.scrollHeight);
  target.focus();
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
      ask(words.consent_missing, tick);
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

function radios(name, options, className = "choices") {
  const row = make("div", { className });
  row.style.setProperty("--columns", options.length);
  for (const [value, label] of options) {
    row.append(make("label", { className: "choice" },
      make("input", { type: "radio", name, value }), make("span", { textContent: label })));
  }
  return row;
}

// How many bursts of the test sound are played: drawn anew for each session and attempt.
function drawnBursts() {
  const { bursts } = data.page.check;
  const fewest = Math.ceil(bursts / 2);
  const { session, checks } = record.state;
  return fewest + hashed(`${session} ${checks}`) % (bursts - fewest + 1);
}

// The time in a gap between two bursts. The sound begins and ends with a gap, so that k/n of it
// lies late in the gap after burst k of n; a little earlier, as browsers tell the time late.
function endOfBurst(k, sound) {
  const { bursts } = data.page.check;
  return k < bursts ? sound.duration * k / bursts - 0.1 : sound.duration;
}

function check() {
  const { file, bursts } = data.page.check;
  const sound = element("sound", file);
  let end = Infinity;
  let played = false;
  const play = button(words.check_play, () => {
    if (sound.error) sound.load();
    else sound.currentTime = 0;
    end = Infinity;
    played = false;
    play.classList.remove("heard");
    sound.play().catch((error) => {
      if (error.name !== "AbortError") say(fill(words.not_loaded, { label: words.sound }));
    });
  }, "play");
  const follow = () => {
    play.style.setProperty("--done", `${Math.min(100, 100 * sound.currentTime / end)}%`);
    if (!sound.ended && (sound.paused || sound.currentTime < end)) return;
    sound.pause();
    played = true;
    play.classList.add("heard");
    play.textContent = words.check_again;
    say("");
  };
  const watch = () => {
    follow();
    if (!sound.paused) requestAnimationFrame(watch);
  };
  sound.addEventListener("playing", () => {
    end = endOfBurst(drawnBursts(), sound);
    play.classList.add("playing");
    watch();
  });
  for (const event of ["timeupdate", "ended"]) sound.addEventListener(event, follow);
  sound.addEventListener("pause", () => play.classList.remove("playing"));
  const device = make("fieldset", {}, make("legend", { textContent: words.check_device }),
    radios("device", [["headphones", words.check_headphones],
      ["loudspeakers", words.check_loudspeakers], ["built-in", words.check_built_in]]));
  const count = make("fieldset", {}, make("legend", { textContent: words.check_question }),
    radios("bursts", Array.from({ length: bursts }, (_, k) => [k + 1, k + 1]), "choices even"));
  for (const questions of [device, count]) questions.addEventListener("change", () => say(""));
  const chosen = (name) => page.querySelector(`input[name=${name}]:checked`);
  const next = button(words.next, () => {
    if (!played) {
      ask(words.check_not_played, play);
      return;
    }
    if (!chosen("device") || !chosen("bursts")) {
      const name = chosen("device") ? "bursts" : "device";
      ask(words.check_missing, page.querySelector(`input[name=${name}]`));
      return;
    }
    const right = Number(chosen("bursts").value) === drawnBursts();
    record.state.checks += 1;
    record.state.device = chosen("device").value;
    record.save();
    if (!right) {
      chosen("bursts").checked = false;
      played = false;
      ask(words.check_wrong, play);
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
    stage.mark(questions.chosen);
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
      ask(unheard.ask, unheard.button);
    } else if (unanswered) {
      ask(words.hint_missing, unanswered);
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
  const kept = make("p", { className: "good kept" });
  kept.setAttribute("role", "status");
  const download = (form) => {
    kept.textContent = fill(words.downloaded, { file: record.download(form) });
    kept.scrollIntoView({ block: "nearest" });
  };
  const files = make("div", { className: "row" },
    button(words.download_json, () => download("json"), record.collectUrl ? "quiet" : ""),
    button(words.download_csv, () => download("csv"), "quiet"));
  const again = button(words.next_person, () => {
    if (state.sent || state.downloaded || confirm(words.next_person_sure)) {
      record.takeTurn(state.plan + 1);
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
  show(words.thanks_heading, ...paragraphs(form.thanks), told, rewards, files, kept,
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
