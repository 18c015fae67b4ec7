// The questions of a page: scales, sliders, choices.
"use strict";

const MOST_BUTTONS = 20; // a longer scale is a slider

class Questions {
  constructor(form, trial, drafted, changed) {
    Object.assign(this, { form, trial, drafted, changed });
    this.rated = form.method === "mos" || form.method === "mushra";
    this.root = make("div", { className: "questions" });
    this.parts = []; // what is locked until a medium, or everything, was heard
    for (const question of form.question) this.root.append(this.fieldset(question));
  }

  fieldset(question) {
    const set = make("fieldset", {}, make("legend", { textContent: question.text }));
    if (this.rated) this.addRatings(set, question);
    else this.addChoices(set, question);
    return set;
  }

  addRatings(set, question) {
    const { low, high, step, low_label, high_label } = question;
    const steps = Math.round((high - low) / step);
    const slides = steps > MOST_BUTTONS;
    const several = this.trial.media.length > 1;
    const values = (this.drafted[question.id] ??= {});
    const ends = make("div", { className: "ends", ariaHidden: "true" },
      make("span", { textContent: low_label }), make("span", { textContent: high_label }));
    set.classList.toggle("several", several);
    this.trial.media.forEach((name, place) => {
      const label = several ? letter(place) : "";
      const row = make("div", { className: "rating" });
      if (several) row.append(make("span", { className: "letter", textContent: label }));
      const about = [question.text, label].filter(Boolean).join(" ");
      const given = (value) => {
        values[name] = value;
        this.changed();
      };
      const made = slides
        ? slider(question, about, values[name], given)
        : scale(question, `${question.id}-${name}`, about, values[name], given);
      row.append(made);
      set.append(row);
      this.parts.push({ root: row, name });
    });
    set.append(ends);
  }

  addChoices(set, question) {
    const several = this.form.method === "pick-all";
    const options = this.trial.media.map((name, place) => ({ value: name, label: letter(place) }));
    if (question.none_label) options.push({ value: "", label: question.none_label });
    const row = make("div", { className: "choices even" });
    row.style.setProperty("--columns", columns(this.trial.media.length, MOST_COLUMNS));
    const inputs = options.map(({ value, label }) => {
      const input = make("input", { type: several ? "checkbox" : "radio", value, name: question.id });
      const chosen = this.drafted[question.id];
      input.checked = Boolean(chosen) && (value ? chosen.includes(value) : !chosen.length);
      input.addEventListener("change", () => {
        if (several && input.checked) {
          for (const other of inputs) {
            if (other !== input && (!value || !other.value)) other.checked = false;
          }
        }
        const on = inputs.filter((one) => one.checked);
        if (on.length) this.drafted[question.id] = on.map((one) => one.value).filter(Boolean);
        else delete this.drafted[question.id];
        this.changed();
      });
      row.append(make("label", { className: value ? "choice" : "choice none" }, input,
        make("span", { textContent: label })));
      return input;
    });
    set.append(row);
    this.inputs ??= inputs;
    this.parts.push({ root: set, name: null });
  }

  // A picture that is pressed is chosen, where there is but one question.
  press(name) {
    const input = this.form.question.length === 1 && this.inputs
      && this.inputs.find((one) => one.value === name);
    if (input && !input.matches(":disabled")) input.click();
  }

  // The media that are chosen, where there is but one question.
  get chosen() {
    const [question] = this.form.question;
    const one = !this.rated && this.form.question.length === 1;
    return one ? this.drafted[question.id] ?? [] : [];
  }

  unlock(stage) {
    for (const { root, name } of this.parts) {
      const open = stage.heard(name);
      root.classList.toggle("locked", !open);
      for (const input of root.querySelectorAll("input")) input.disabled = !open;
    }
  }

  get locked() {
    return this.parts.some(({ root }) => root.classList.contains("locked"));
  }

  // The first thing that is not answered yet; null when everything is.
  get missing() {
    for (const [place, question] of this.form.question.entries()) {
      const given = this.drafted[question.id];
      const rows = this.root.children[place].querySelectorAll(this.rated ? ".rating" : ".choices");
      const gap = this.rated
        ? this.trial.media.findIndex((name) => given[name] === undefined)
        : given === undefined ? 0 : -1;
      if (gap >= 0) return rows[gap].querySelector("input");
    }
    return null;
  }

  get answers() {
    return this.form.question.flatMap(({ id }) => this.rated
      ? this.trial.media.map((name) => ({ question: id, medium: name, value: this.drafted[id][name] }))
      : [{ question: id, value: this.drafted[id] }]);
  }
}

function steps(question) {
  const count = Math.round((question.high - question.low) / question.step);
  return Array.from({ length: count + 1 }, (_, k) => rounded(question.low + k * question.step));
}

// 0.1 + 0.2 is 0.3 to a reader.
function rounded(value) {
  return Number(value.toPrecision(12));
}

function scale(question, name, about, chosen, given) {
  const group = make("div", { className: "scale" });
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", about);
  const all = steps(question);
  all.forEach((value, place) => {
    const input = make("input", { type: "radio", name, value, checked: value === chosen });
    const end = place === 0 ? question.low_label : place === all.length - 1 ? question.high_label : "";
    if (end) input.setAttribute("aria-label", `${value}, ${end}`);
    input.addEventListener("change", () => given(value));
    group.append(make("label", {}, input, make("span", { textContent: value })));
  });
  return group;
}

function slider(question, about, chosen, given) {
  const { low, high, step } = question;
  const middle = steps(question)[Math.round((high - low) / step / 2)];
  const input = make("input", { type: "range", min: low, max: high, step: "any" });
  const output = make("output", { textContent: chosen ?? words.not_set });
  const box = make("div", { className: "slider" }, input, output);
  input.step = step;
  input.value = chosen ?? middle;
  box.classList.toggle("unset", chosen === undefined);
  input.setAttribute("aria-label", about);
  input.setAttribute("aria-valuetext", output.textContent);
  const set = () => {
    const value = rounded(low + Math.round((input.value - low) / step) * step);
    output.textContent = value;
    input.setAttribute("aria-valuetext", value);
    box.classList.remove("unset");
    given(value);
  };
  input.addEventListener("input", set);
  input.addEventListener("click", set); // the middle is an answer too
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") set();
  });
  return box;
}
