// What the page was given, and how it makes its elements: never from markup.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function paragraphs(text) {
  return text.split(/\n\s*\n/).filter((part) => part.trim())
    .map((part) => make("p", { textContent: part.trim() }));
}

// Equal columns in as few rows as hold them, `most` a row at most.
function columns(count, most) {
  return Math.ceil(count / Math.ceil(count / most));
}

function button(text, act, className = "") {
  const made = make("button", { type: "button", textContent: text, className });
  made.addEventListener("click", act);
  return made;
}
