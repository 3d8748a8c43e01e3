// GitHub's OpenAPI description as judge of responses.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const require = createRequire(import.meta.url);
const file = require.resolve('@octokit/openapi/generated/api.github.com.json');

// The variants of GitHub's oneOf overlap (an error without a required field is every other error, too): any will do.
// OpenAPI 3.0 says nullable beside the type, and enum without null; JSON Schema says it in the type and the enum.
function translate(node) {
  if (Array.isArray(node)) {
    node.forEach(translate);
    return node;
  }
  if (node === null || typeof node !== 'object') return node;
  for (const [key, value] of Object.entries(node)) {
    if (key !== 'example' && key !== 'examples' && key !== 'default') translate(value);
  }
  if (Array.isArray(node.oneOf) && !node.anyOf) {
    node.anyOf = node.oneOf;
    delete node.oneOf;
  }
  if (node.nullable === true) {
    delete node.nullable;
    if (Array.isArray(node.enum) && !node.enum.includes(null)) node.enum.push(null);
    if (typeof node.type === 'string') node.type = [node.type, 'null'];
    else if (!node.type) {
      const inner = {...node};
      for (const key of Object.keys(node)) delete node[key];
      node.anyOf = [{type: 'null'}, inner];
    }
  }
  return node;
}

export class Judge {
  constructor() {
    const api = JSON.parse(readFileSync(file, 'utf8'));
    this.paths = api.paths;
    this.ajv = new Ajv({strict: false, allErrors: true, validateFormats: true});
    addFormats(this.ajv);
    this.ajv.addSchema({$id: 'api', components: translate(api.components)});
    this.compiled = new Map();
    this.seen = new Map();
  }

  // route is "GET /repos/{owner}/{repo}". Returns what is wrong, as a list.
  check(route, status, contentType, body) {
    const [method, path] = route.split(' ');
    const operation = this.paths[path]?.[method.toLowerCase()];
    if (!operation) return [`GitHub does not describe ${route}`];
    let response = operation.responses[status];
    if (response?.$ref) response = this.component(response.$ref);
    if (!response) return [`${route} does not answer ${status}; GitHub says ${Object.keys(operation.responses)}`];
    if (!this.seen.has(route)) this.seen.set(route, new Set());
    this.seen.get(route).add(status);
    if (status === 204 || status === 302 || status === 304) return body ? [`${route} ${status} has a body`] : [];
    const kinds = response.content ?? {};
    // Where GitHub describes the status and no content, there is nothing to hold the body against.
    if (Object.keys(kinds).length === 0) return [];
    const media = kinds[contentType.split(';')[0]];
    if (!media) return [`${route} ${status} answers ${contentType}; GitHub says ${Object.keys(kinds)}`];
    const key = `${route} ${status} ${contentType}`;
    if (!this.compiled.has(key)) {
      const schema = translate(absolute(structuredClone(media.schema)));
      this.compiled.set(key, this.ajv.compile(schema));
    }
    const valid = this.compiled.get(key);
    if (valid(body)) return [];
    return valid.errors.map((e) => `${route} ${status} ${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}`);
  }

  component(ref) {
    return ref.split('/').slice(1).reduce((at, key) => at[key], {components: this.ajv.getSchema('api').schema.components});
  }
}

// References point into the document; a schema taken out of it has to say so.
function absolute(node) {
  if (Array.isArray(node)) node.forEach(absolute);
  else if (node && typeof node === 'object') {
    if (typeof node.$ref === 'string' && node.$ref.startsWith('#/')) node.$ref = 'api' + node.$ref;
    Object.values(node).forEach(absolute);
  }
  return node;
}
