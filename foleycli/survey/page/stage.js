// What a page plays: one picture at a time on one stage, and a button for each sound.
"use strict";

const SLOW_MS = 15000;
const MOST_COLUMNS = 6;
const MOST_NARROW = 3; // on a phone
const loading = new Map(); // media that load while the page before is being answered

function element(kind, file) {
  const made = document.createElement(kind === "video" ? "video" : "audio");
  made.preload = "auto";
  made.playsInline = true;
  made.disablePictureInPicture = true;
  made.disableRemotePlayback = true;
  made.src = file;
  return made;
}

function preload(media, names) {
  for (const name of names) {
    const { kind, file } = media[name];
    if (loading.has(name)) continue;
    if (kind === "picture") {
      const image = new Image();
      image.src = file;
      loading.set(name, image);
    } else {
      loading.set(name, element(kind, file));
    }
  }
}

function letter(place) {
  return String.fromCharCode(65 + place);
}

// One thing that sounds.
class Player {
  constructor(stage, name, label, ask, media) {
    Object.assign(this, { stage, name, label, ask });
    this.element = loading.get(name) || element(media.kind, media.file);
    loading.delete(name);
    this.element.tabIndex = -1;
    this.button = make("button", { type: "button", className: "play" });
    this.icon = make("span", { className: "icon", ariaHidden: "true" });
    this.said = make("span");
    this.count = make("span", { className: "count", ariaHidden: "true" });
    this.button.append(this.icon, this.said, this.count);
    this.button.addEventListener("click", () => this.toggle());
    this.playing = this.jumped = this.moving = false;
    this.timer = 0;
    const on = (event, act) => this.element.addEventListener(event, act);
    on("timeupdate", () => this.progress());
    on("playing", () => clearTimeout(this.timer));
    on("waiting", () => this.playing && this.watch());
    on("ended", () => this.ended());
    on("pause", () => this.set(false));
    on("error", () => this.fail("not_loaded"));
    on("ratechange", () => {
      if (this.element.playbackRate !== 1) this.element.playbackRate = 1;
    });
    on("seeking", () => {
      this.jumped = this.jumped || !this.moving;
    });
    on("seeked", () => {
      this.moving = false;
    });
    if (this.element.error) queueMicrotask(() => this.fail("not_loaded"));
    this.show();
  }

  get heard() {
    return this.stage.plays[this.name] || 0;
  }

  toggle() {
    if (this.playing) this.element.pause();
    else this.play();
  }

  play() {
    this.stage.activate(this);
    if (this.element.ended || this.element.currentTime === 0 || this.jumped) this.rewind();
    this.set(true);
    this.watch();
    this.element.play().catch((error) => {
      clearTimeout(this.timer);
      this.set(false);
      if (error.name === "NotAllowedError") this.stage.tell(words.press_play);
      else if (error.name !== "AbortError") this.fail("not_loaded");
    });
  }

  watch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fail("slow"), SLOW_MS);
  }

  rewind() {
    this.jumped = false;
    if (this.element.currentTime > 0) {
      this.moving = true;
      this.element.currentTime = 0;
    }
  }

  stop() {
    clearTimeout(this.timer);
    if (!this.element.paused) this.element.pause();
    if (this.element.readyState > 0) this.rewind();
    this.set(false);
    this.progress();
  }

  ended() {
    this.set(false);
    if (this.jumped) return;
    this.stage.plays[this.name] = this.heard + 1;
    this.show();
    this.stage.onHeard(this);
  }

  set(playing) {
    this.playing = playing;
    this.show();
  }

  progress() {
    const { currentTime, duration } = this.element;
    const share = duration > 0 ? currentTime / duration : 0;
    this.button.style.setProperty("--done", `${100 * share}%`);
  }

  show() {
    const verb = this.playing ? words.pause : this.heard ? words.play_again : words.play;
    const times = [words.not_played, words.played_once][this.heard];
    const told = times || fill(words.played, { count: this.heard });
    this.button.classList.toggle("playing", this.playing);
    this.button.classList.toggle("heard", this.heard > 0);
    this.said.textContent = this.stage.several ? this.label : verb;
    this.count.textContent = this.heard ? `${this.heard}×` : "";
    this.button.setAttribute("aria-label", `${verb}: ${this.label}, ${told}`);
  }

  fail(reason) {
    clearTimeout(this.timer);
    this.set(false);
    this.stage.failed(this, reason);
  }

  retry() {
    this.element.load();
    this.play();
  }
}

// All players of a page, and its pictures.
class Stage {
  constructor(trial, media, plays, calls) {
    this.plays = plays;
    this.onHeard = calls.heard;
    this.onSkip = calls.skip;
    this.players = [];
    this.figures = new Map();
    this.promptName = trial.prompt;
    this.root = make("section", { className: "stage" });
    this.screen = make("div", { className: "screen" });
    this.buttons = make("div", { className: "players" });
    this.alert = make("div", { className: "alert", hidden: true });
    this.alert.setAttribute("role", "alert");
    const named = trial.media.map((name, place) => ({
      name,
      ...(trial.media.length > 1
        ? { label: letter(place), ask: fill(words.hint_not_played, { label: letter(place) }) }
        : { label: words.clip, ask: words.hint_clip_not_played }),
    }));
    const sounds = named.filter(({ name }) => media[name].kind !== "picture");
    if (trial.prompt) {
      const [label, ask] = media[trial.prompt].kind === "sound"
        ? [words.sound, words.hint_sound_not_played]
        : [words.original, words.hint_original_not_played];
      sounds.unshift({ name: trial.prompt, label, ask });
    }
    this.several = sounds.length > 1 || Boolean(trial.prompt);
    for (const { name, label, ask } of sounds) {
      this.players.push(new Player(this, name, label, ask, media[name]));
    }
    const alike = sounds.length - (trial.prompt ? 1 : 0) || 1;
    this.buttons.classList.toggle("prompted", Boolean(trial.prompt));
    this.buttons.style.setProperty("--columns", columns(alike, MOST_COLUMNS));
    this.buttons.style.setProperty("--narrow", columns(alike, MOST_NARROW));
    for (const player of this.players) {
      if (player.element.tagName === "VIDEO") this.screen.append(player.element);
      this.buttons.append(player.button);
    }
    this.screen.hidden = !this.screen.children.length;
    this.screen.addEventListener("click", () => this.active && this.active.toggle());
    this.screen.addEventListener("contextmenu", (event) => event.preventDefault());
    this.pictures = named.filter(({ name }) => media[name].kind === "picture");
    this.root.append(this.screen, this.buttons, this.alert);
    if (this.pictures.length) this.root.append(this.gallery(media));
    if (this.players.length) this.activate(this.players[0], false);
  }

  gallery(media) {
    const grid = make("div", { className: "gallery" });
    grid.style.setProperty("--columns", columns(this.pictures.length, 3));
    for (const { name, label } of this.pictures) {
      const image = loading.get(name) || new Image();
      loading.delete(name);
      const seen = () => {
        this.plays[name] = Math.max(1, this.plays[name] || 0);
        this.onHeard({ name });
      };
      image.alt = `${words.picture} ${label}`;
      image.addEventListener("load", seen);
      const lost = { label: image.alt, retry: () => (image.src = media[name].file) };
      image.addEventListener("error", () => this.failed(lost, "not_loaded"));
      if (!image.src) image.src = media[name].file;
      else if (image.complete && image.naturalWidth) queueMicrotask(seen);
      else if (image.complete) image.src = media[name].file;
      const figure = make("figure", {}, image, make("figcaption", { textContent: label }));
      figure.addEventListener("click", () => this.onPicture && this.onPicture(name));
      this.figures.set(name, figure);
      grid.append(figure);
    }
    return grid;
  }

  mark(chosen) {
    for (const [name, figure] of this.figures) {
      figure.classList.toggle("chosen", chosen.includes(name));
    }
  }

  activate(chosen, stopOthers = true) {
    this.active = chosen;
    for (const player of this.players) {
      player.element.classList.toggle("active", player === chosen);
      if (stopOthers && player !== chosen) player.stop();
    }
    this.alert.hidden = true;
  }

  // Whether everything, or all that an answer about one medium needs, was played to its end.
  heard(name = null) {
    const all = [...this.players.map((player) => player.name), ...this.pictures.map((p) => p.name)];
    const wanted = name ? all.filter((one) => one === name || one === this.promptName) : all;
    return wanted.every((one) => this.plays[one] > 0);
  }

  get missing() {
    return this.players.find((player) => !player.heard);
  }

  tell(text) {
    this.alert.replaceChildren(make("p", { textContent: text }));
    this.alert.hidden = false;
  }

  failed(player, reason) {
    this.tell(fill(words[reason], { label: player.label }));
    const retry = make("button", { type: "button", textContent: words.retry });
    const skip = make("button", { type: "button", className: "quiet", textContent: words.skip });
    retry.addEventListener("click", () => {
      this.alert.hidden = true;
      player.retry();
    });
    skip.addEventListener("click", () => this.onSkip(`${reason}: ${player.name || player.label}`));
    this.alert.append(make("div", { className: "row" }, retry, skip));
  }

  close() {
    for (const player of this.players) {
      player.stop();
      player.element.removeAttribute("src");
      player.element.load();
    }
  }
}
