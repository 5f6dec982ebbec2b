// Objects of Kubernetes: those of a kustomization, and whether an object is as the API has it.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import YAML from 'yaml';

const require = createRequire(import.meta.url);
const SCHEMAS = path.join(path.dirname(require.resolve('kubernetes-models')), '_schemas');

export const documents = (text) =>
  YAML.parseAllDocuments(text, { uniqueKeys: true })
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS();
    })
    .filter((object) => object !== null);

function program(file, ...args) {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

// Lines NAME=value of a file, without comments.
export const variables = (file) =>
  Object.fromEntries(
    fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

// What our kustomization makes, also where there is no kubectl: without the hashes in names.
export function customize(dir) {
  const [all] = documents(fs.readFileSync(path.join(dir, 'kustomization.yaml'), 'utf8'));
  const generated = (kind, list, key) =>
    list.map(({ name, envs, options }) => ({
      apiVersion: 'v1',
      kind,
      metadata: { name, labels: options.labels },
      ...(kind === 'Secret' && { type: 'Opaque' }),
      [key]: Object.assign({}, ...envs.map((file) => variables(path.join(dir, file)))),
    }));
  const objects = all.resources.flatMap((file) => documents(fs.readFileSync(path.join(dir, file), 'utf8')));
  for (const { name, newName, newTag } of all.images) {
    for (const container of objects.flatMap((object) => object.spec?.template?.spec.containers ?? [])) {
      if (container.image === name) container.image = `${newName}:${newTag}`;
    }
  }
  return [
    ...objects,
    ...generated('ConfigMap', all.configMapGenerator, 'data'),
    ...generated('Secret', all.secretGenerator, 'stringData'),
  ];
}

// The same by kubectl, with the hashes of generated names taken off.
export function customizeBy(kubectl, dir) {
  const text = program(kubectl, 'kustomize', dir);
  return documents(text.replace(/^( +(?:- )?name: sluice)-[a-z0-9]{10}$/gm, '$1')).map((object) => {
    if (object.kind !== 'Secret') return object;
    const { data, ...rest } = object;
    const plain = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
    return { ...rest, stringData: Object.fromEntries(plain) };
  });
}

// ---- Is an object as the API has it?

const GROUPS = { v1: 'Core', 'apps/v1': 'Apps', 'policy/v1': 'Policy', 'autoscaling/v2': 'Autoscaling', 'networking.k8s.io/v1': 'Networking' };

const paths = (value, at = '') =>
  typeof value !== 'object' || value === null
    ? []
    : Object.keys(value).flatMap((key) => [`${at}/${key}`, ...paths(value[key], `${at}/${key}`)]);

/*
 * What is wrong with it, as a list of texts. A schema does not forbid members that it does not
 * know, and the API server drops them: so those that the schema never looked at are wrong, too.
 */
export function faultsOf(object) {
  const group = GROUPS[object.apiVersion];
  const version = object.apiVersion.split('/').at(-1);
  const file = `IoK8sApi${group}${version[0].toUpperCase()}${version.slice(1)}${object.kind}.js`;
  if (!group || !fs.existsSync(path.join(SCHEMAS, file))) return [`${object.apiVersion} ${object.kind}: no such kind`];
  const { validate } = require(path.join(SCHEMAS, file));
  const looked = new Set(['/apiVersion', '/kind']);
  const watched = (value, at) =>
    typeof value !== 'object' || value === null
      ? value
      : new Proxy(value, {
          get(target, key) {
            if (typeof key === 'string') looked.add(`${at}/${key}`);
            return watched(target[key], `${at}/${String(key)}`);
          },
        });
  const good = validate(watched(object, ''));
  const what = `${object.kind} ${object.metadata?.name}`;
  return [
    ...(good ? [] : validate.errors.map((error) => `${what}: ${error.instancePath} ${error.keyword} ${JSON.stringify(error.params)}`)),
    ...paths(object).filter((at) => !looked.has(at)).map((at) => `${what}: ${at} is not known`),
  ];
}
