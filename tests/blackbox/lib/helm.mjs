// Renders a Helm chart where there is no helm: Go's templates, as far as charts of ours use them,
// with those functions of Helm that they call. What is not known here is an error.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import YAML from 'yaml';

// ---- Text into tokens: { text } and { action }, with white space trimmed as {{- and -}} say

function split(source) {
  const tokens = [];
  let rest = source;
  for (;;) {
    const open = rest.indexOf('{{');
    if (open < 0) return [...tokens, { text: rest }];
    const [whole, left, action, right] = rest.slice(open).match(/^\{\{(-(?=\s))?([^]*?)(\s-)?\}\}/) ?? [];
    if (!whole) throw new Error(`an action has no end: ${rest.slice(open, open + 40)}`);
    const before = rest.slice(0, open);
    tokens.push({ text: left ? before.trimEnd() : before });
    if (!/^\s*\/\*[^]*\*\/\s*$/.test(action)) tokens.push({ action: action.trim() });
    rest = rest.slice(open + whole.length);
    if (right) rest = rest.trimStart();
  }
}

// ---- Pipelines: [{ head, args }, …]; an operand is a string, a number, a path, a call in brackets

const WORD = /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|:=|[()|=,]|-?\d+(?:\.\d+)?|\$?[\w.]+|\$|\.)/y;

function words(text) {
  const found = [];
  WORD.lastIndex = 0;
  while (WORD.lastIndex < text.trimEnd().length) {
    const match = WORD.exec(text);
    if (!match) throw new Error(`not understood: ${text}`);
    found.push(match[1]);
  }
  return found;
}

function operand(list) {
  const word = list.shift();
  if (word === '(') {
    const inner = pipeline(list);
    if (list.shift() !== ')') throw new Error('a bracket is not closed');
    return { pipe: inner };
  }
  if (word[0] === '"') return { value: JSON.parse(word) };
  if (word[0] === '`') return { value: word.slice(1, -1) };
  if (/^-?\d/.test(word)) return { value: Number(word) };
  if (word === 'true' || word === 'false') return { value: word === 'true' };
  if (word[0] === '.' || word[0] === '$') {
    const [base, ...fields] = word[0] === '.' ? ['.', ...word.slice(1).split('.')] : word.split('.');
    return { base, fields: fields.filter(Boolean) };
  }
  return { call: word };
}

function pipeline(list) {
  const commands = [];
  do {
    if (list[0] === '|') list.shift();
    const parts = [];
    while (list.length > 0 && list[0] !== '|' && list[0] !== ')') parts.push(operand(list));
    if (parts.length === 0) throw new Error('a command is missing');
    commands.push(parts);
  } while (list[0] === '|');
  return commands;
}

function whole(list) {
  const result = pipeline(list);
  if (list.length > 0) throw new Error(`too much: ${list.join(' ')}`);
  return result;
}

// ---- Tokens into a tree

function parse(tokens, defined) {
  let at = 0;
  function block(...ends) {
    const nodes = [];
    for (; at < tokens.length; at++) {
      const { text, action } = tokens[at];
      if (text !== undefined) {
        if (text !== '') nodes.push({ text });
        continue;
      }
      const list = words(action);
      if (ends.includes(list[0])) return nodes;
      nodes.push(statement(list));
    }
    if (ends.length > 0) throw new Error(`{{ ${ends.at(-1)} }} is missing`);
    return nodes;
  }
  function branches(kind, list) {
    const vars = [];
    if (kind === 'range' && list.includes(':=')) {
      for (let word; (word = list.shift()) !== ':='; ) if (word !== ',') vars.push(word);
    }
    const node = { kind, pipe: whole(list), vars };
    at++;
    node.then = block('else', 'end');
    const [, ...after] = words(tokens[at].action);
    if (words(tokens[at].action)[0] === 'end') return node;
    if (after.length > 0) return { ...node, otherwise: [branches(after.shift(), after)] };
    at++;
    return { ...node, otherwise: block('end') };
  }
  function statement(list) {
    const [first, second] = list;
    if (['if', 'with', 'range'].includes(first)) return branches(list.shift(), list);
    if (first === 'define') {
      at++;
      defined.set(JSON.parse(second), block('end'));
      return { text: '' };
    }
    if (second === ':=' || second === '=') return { set: first, fresh: second === ':=', pipe: whole(list.slice(2)) };
    return { pipe: whole(list) };
  }
  return block();
}

// ---- Values

const isMap = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isEmpty = (value) =>
  value === undefined || value === null || value === false || value === 0 || value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0);
// As Go prints a float64, which all numbers of a chart's values are; an int64 is a BigInt here.
const printed = (value) => {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'number' || Math.abs(value) < 1e6) return String(value);
  return value.toExponential().replace(/e\+(\d)$/, 'e+0$1');
};
const sorted = (value) => {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
};
const same = (a, b) => a === b;

const FUNCTIONS = {
  and: (...all) => (all.some(isEmpty) ? all[all.findIndex(isEmpty)] : all.at(-1)),
  or: (...all) => all.find((value) => !isEmpty(value)) ?? all.at(-1),
  not: (value) => isEmpty(value),
  eq: (a, ...others) => others.some((b) => same(a, b)),
  ne: (a, b) => !same(a, b),
  index: (value, ...keys) => keys.reduce((at, key) => at?.[key], value),
  default: (other, value) => (isEmpty(value) ? other : value),
  quote: (value) => JSON.stringify(printed(value)),
  toString: printed,
  int64: (value) => BigInt(Math.trunc(Number(value))),
  kindIs: (kind, value) =>
    kind === ({ number: 'float64', boolean: 'bool' }[typeof value] ?? (Array.isArray(value) ? 'slice' : isMap(value) ? 'map' : typeof value)),
  printf: (format, ...args) => format.replace(/%s/g, () => printed(args.shift())),
  contains: (part, text) => text.includes(part),
  upper: (text) => text.toUpperCase(),
  replace: (from, to, text) => text.replaceAll(from, to),
  trunc: (n, text) => text.slice(0, n),
  trimSuffix: (end, text) => (text.endsWith(end) ? text.slice(0, -end.length) : text),
  nindent: (n, text) => `\n${text}`.replace(/\n/g, `\n${' '.repeat(n)}`),
  toYaml: (value) => YAML.stringify(sorted(value), { lineWidth: 0 }).trimEnd(),
  toJson: (value) => JSON.stringify(sorted(value)),
  sha256sum: (text) => crypto.createHash('sha256').update(text).digest('hex'),
};

// ---- Running

class Scope {
  constructor(vars, outer) {
    [this.vars, this.outer] = [vars, outer];
  }
  holder(name) {
    if (name in this.vars) return this.vars;
    if (!this.outer) throw new Error(`there is no ${name}`);
    return this.outer.holder(name);
  }
}

function evaluate(pipe, dot, scope, defined) {
  const value = (part) => {
    if (part.pipe) return evaluate(part.pipe, dot, scope, defined);
    if (part.call) return call(part.call, []);
    if (!part.base) return part.value;
    let at = part.base === '.' ? dot : scope.holder(part.base)[part.base];
    for (const field of part.fields) {
      if (!isMap(at)) throw new Error(`${part.fields.join('.')}: ${field} of what is no map`);
      at = at[field];
    }
    return at;
  };
  const call = (name, args) => {
    if (name === 'include') return run(defined.get(args[0]) ?? fail(`no ${args[0]}`), args[1], new Scope({ $: args[1] }), defined);
    return (FUNCTIONS[name] ?? fail(`there is no function ${name}`))(...args);
  };
  let result;
  pipe.forEach(([head, ...rest], i) => {
    const args = [...rest.map(value), ...(i > 0 ? [result] : [])];
    result = head.call ? call(head.call, args) : args.length === 0 ? value(head) : fail('a value is called');
  });
  return result;
}

function fail(why) {
  throw new Error(why);
}

function run(nodes, dot, scope, defined) {
  const inner = (list, at, vars = {}) => run(list ?? [], at, new Scope(vars, scope), defined);
  const one = (node) => {
    if (node.text !== undefined) return node.text;
    const value = evaluate(node.pipe, dot, scope, defined);
    if (node.set) {
      (node.fresh ? scope.vars : scope.holder(node.set))[node.set] = value;
      return '';
    }
    if (!node.kind) return printed(value);
    if (isEmpty(value)) return inner(node.otherwise, dot);
    if (node.kind === 'if') return inner(node.then, dot);
    if (node.kind === 'with') return inner(node.then, value);
    const keys = Array.isArray(value) ? value.keys() : Object.keys(value).sort();
    return [...keys]
      .map((key) => {
        const pair = [key, value[key]].slice(-node.vars.length || 2);
        return inner(node.then, value[key], Object.fromEntries(node.vars.map((name, i) => [name, pair[i]])));
      })
      .join('');
  };
  return nodes.map(one).join('');
}

const merged = (a, b) =>
  isMap(a) && isMap(b)
    ? Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => [key, key in b ? merged(a[key], b[key]) : a[key]]))
    : b;

/* Renders each file of templates/: { name: text }. `values` go over those of values.yaml. */
export function renderChart(chart, { values = {}, release = 'sluice', namespace = 'default' } = {}) {
  const read = (name) => fs.readFileSync(path.join(chart, name), 'utf8');
  const { name, version, appVersion } = YAML.parse(read('Chart.yaml'));
  const dot = {
    Values: merged(YAML.parse(read('values.yaml')), values),
    Chart: { Name: name, Version: version, AppVersion: appVersion },
    Release: { Name: release, Namespace: namespace, Service: 'Helm' },
  };
  const defined = new Map();
  const files = fs.readdirSync(path.join(chart, 'templates')).sort();
  const trees = files.map((file) => [file, parse(split(read(`templates/${file}`)), defined)]);
  return Object.fromEntries(
    trees
      .filter(([file]) => !file.startsWith('_'))
      .map(([file, tree]) => [file, run(tree, dot, new Scope({ $: dot }), defined)]),
  );
}
