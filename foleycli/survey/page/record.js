// What a participant has said so far: kept in the browser, downloaded, sent.
"use strict";

const SCHEMA = "foley-survey-response/1";
const CSV_COLUMNS = [
  "study", "session", "plan", "participant", "trial", "answered", "rt_ms",
  "question", "medium", "value", "plays",
];
const MOST_TEXT = 200;
const PATIENCE_MS = 20000;
// Prolific's and Mechanical Turk's names for the person; what else they send is passed on.
const PARTICIPANT = ["PROLIFIC_PID", "workerId", "participant"];
const PLATFORM = [
  "PROLIFIC_PID", "STUDY_ID", "SESSION_ID", "workerId", "assignmentId", "hitId", "participant",
];

class Record {
  constructor(data, query, body) {
    this.data = data;
    this.query = query;
    this.assignUrl = body.dataset.assign;
    this.collectUrl = body.dataset.collect || data.page.collect;
    const named = PARTICIPANT.map((name) => query.get(name)).find(Boolean) || "";
    this.participant = named.slice(0, MOST_TEXT);
    this.turnKey = ["foley-survey", data.study.study, "turn"].join("/");
    this.key = ["foley-survey", data.study.study, query.get("plan") || "", this.participant].join("/");
    this.resumed = false;
    this.stored = true;
    this.sending = Promise.resolve(true);
    this.turn = this.loadTurn();
    this.state = this.load() || this.fresh();
  }

  fresh() {
    const platform = {};
    for (const name of PLATFORM) {
      if (this.query.has(name)) platform[name] = this.query.get(name).slice(0, MOST_TEXT);
    }
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return {
      session: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      participant: this.participant,
      platform,
      plan: null,
      step: "consent",
      consented: null,
      device: "",
      checks: 0,
      trials: [],
      skipped: [],
      draft: null,
      comment: "",
      finished: null,
      acknowledged: 0,
      sent: false,
      downloaded: false,
    };
  }

  load() {
    try {
      const found = JSON.parse(localStorage.getItem(this.key));
      const plan = found && this.data.plans.plans[found.plan];
      if (!plan || !Array.isArray(found.trials)) return null;
      this.resumed = true;
      return found;
    } catch {
      return null;
    }
  }

  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.state));
      this.stored = true;
    } catch {
      this.stored = false; // private windows and some browsers on file:// refuse
    }
  }

  // Whose turn it is on this device, so that its participants share the plans out evenly.
  loadTurn() {
    try {
      const found = JSON.parse(localStorage.getItem(this.turnKey));
      return this.data.plans.plans[found] ? found : null;
    } catch {
      return null;
    }
  }

  takeTurn(plan) {
    this.turn = plan % this.data.plans.plans.length;
    try {
      localStorage.setItem(this.turnKey, JSON.stringify(this.turn));
    } catch {
      // it is known until the page is closed
    }
  }

  forget() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // there was nothing to keep
    }
    this.resumed = false;
    this.state = this.fresh();
  }

  get plan() {
    return this.data.plans.plans[this.state.plan];
  }

  get done() {
    return this.state.trials.length + this.state.skipped.length;
  }

  async choosePlan() {
    const count = this.data.plans.plans.length;
    if (this.query.has("plan")) {
      this.state.plan = Number(this.query.get("plan"));
      return;
    }
    if (this.assignUrl) {
      const found = await this.post(this.assignUrl, { session: this.state.session });
      if (found && Number.isInteger(found.plan) && this.data.plans.plans[found.plan]) {
        this.state.plan = found.plan;
        return;
      }
    }
    if (this.participant) {
      this.state.plan = hashed(this.participant) % count;
      return;
    }
    if (this.turn === null) this.takeTurn(crypto.getRandomValues(new Uint32Array(1))[0]);
    this.state.plan = this.turn;
  }

  hasPlan() {
    if (!this.query.has("plan")) return true;
    const asked = this.query.get("plan");
    return /^\d{1,6}$/.test(asked) && Number(asked) < this.data.plans.plans.length;
  }

  response(trials = this.state.trials) {
    const { session, plan, participant, platform, consented, device, checks } = this.state;
    const { comment, skipped, finished } = this.state;
    return {
      schema: SCHEMA,
      study: this.data.study.study,
      session,
      plan,
      participant,
      trials,
      skipped,
      comment,
      platform,
      device,
      checks,
      consented,
      finished,
      complete: finished !== null,
      agent: navigator.userAgent.slice(0, 300),
      screen: `${screen.width}x${screen.height}`,
    };
  }

  csv() {
    const lines = [CSV_COLUMNS];
    const { session, plan, participant, trials } = this.state;
    for (const one of trials) {
      const plays = Object.entries(one.plays).map(([name, count]) => `${name}:${count}`).join(" ");
      for (const answer of one.answers) {
        const value = Array.isArray(answer.value) ? answer.value.join(" ") : answer.value;
        lines.push([
          this.data.study.study, session, plan, participant, one.trial, one.answered, one.rt_ms,
          answer.question, answer.medium || "", value, plays,
        ]);
      }
    }
    return lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
  }

  download(form) {
    const json = form === "json";
    const text = json ? JSON.stringify(this.response(), null, 1) + "\n" : this.csv();
    const type = json ? "application/json" : "text/csv";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `answers-${this.data.study.study}-${this.state.session.slice(0, 8)}.${form}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    this.state.downloaded = true;
    this.save();
    return link.download;
  }

  // The study's own server keeps every page as it is answered; other collectors get the whole.
  sendSoFar() {
    if (!this.assignUrl) return;
    this.sending = this.sending.then(async () => {
      const count = this.state.trials.length;
      const fresh = this.state.trials.slice(this.state.acknowledged);
      if (!fresh.length) return true;
      const taken = await this.post(this.collectUrl, this.response(fresh));
      if (taken) {
        this.state.acknowledged = count;
        this.save();
      }
      return Boolean(taken);
    });
  }

  async sendAll() {
    await this.sending;
    for (let wait = 1000; ; wait *= 3) {
      if (await this.post(this.collectUrl, this.response())) {
        this.state.sent = true;
        this.save();
        return true;
      }
      if (wait > 3000) return false;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  // Returns what came back, {} for an empty answer, null where it failed.
  async post(url, value) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(value),
        signal: stop.signal,
      });
      if (!answer.ok) return null;
      const text = await answer.text();
      try {
        return Object(JSON.parse(text));
      } catch {
        return {};
      }
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
}

// FNV-1a: the same person gets the same plan.
function hashed(text) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}

// A spreadsheet would compute what begins with one of these.
function cell(value) {
  let text = String(value ?? "");
  if (typeof value === "string" && /^[=+\-@\t]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
