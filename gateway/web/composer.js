// The field in which the user writes. It grows with its text, and has a draft for each
// conversation.

import { $, directionOf } from './dom.js';

const LONG = 5000; // characters that fill the field anyway: it need not be measured

/*
 * `acts` has send(text), typing().
 */
export class Composer {
  #acts;
  #field = $('text');
  #conversation = null;

  constructor(acts) {
    this.#acts = acts;
    this.#field.addEventListener('input', () => this.#changed());
    this.#field.addEventListener('keydown', (event) => {
      // 229: Safari's Enter that ends a composition.
      if (event.key !== 'Enter' || event.keyCode === 229) return;
      if (event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    // The field keeps the focus, and a phone its keyboard.
    $('send').addEventListener('pointerdown', (event) => event.preventDefault());
    $('say').onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
  }

  open(conversation, title) {
    this.#conversation = conversation;
    const to = conversation.isRoom ? `Message to ${title}` : `Private message to ${title}`;
    $('text-label').textContent = to;
    this.#field.placeholder = to;
    this.#field.value = conversation.draft;
    this.#fit();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  #changed() {
    this.#conversation.draft = this.#field.value;
    this.#fit();
    if (/\S/.test(this.#field.value)) this.#acts.typing();
  }

  #send() {
    const text = this.#field.value.trimEnd();
    if (text.trim() === '' || !this.#conversation) return;
    this.#field.value = '';
    this.#conversation.draft = '';
    this.#fit();
    this.#acts.send(text);
    this.focus();
  }

  // As high as its text; the style sheet says where that ends.
  #fit() {
    const { style, value } = this.#field;
    this.#field.dir = directionOf(value);
    style.height = value.length > LONG ? '100vh' : 'auto';
    if (value.length <= LONG) style.height = `${this.#field.scrollHeight + 2}px`;
    $('send').disabled = !/\S/.test(value);
  }
}
