// Package github is a GitHub that fits on a desk: REST, GraphQL and smart HTTP over real bare repositories.
//
// A bare git repository is the only truth. Blobs, trees and commits are git's own objects, history and
// differences are asked of git itself, and every way in (REST, GraphQL, a push, a helper of a test) moves a
// reference through git's compare-and-swap: update-ref takes the old value beside the new one, and
// receive-pack does the same on its side. Who loses such a race is told so in GitHub's words.
//
// A request passes four rooms. ServeHTTP (server.go) lets an injected fault take it (faults.go), then hands it to smart
// HTTP (smarthttp.go) or to the API (api.go), which knows the token (access.go), runs the route of the table
// in routes.go, and gives the answer its ETag and its place in the rate limit: a 304 is free, as at GitHub.
// Routes only translate between JSON and the store: objects are read through one long-lived
// `git cat-file --batch` per repository (batch.go) and written as loose objects by Go (store.go), so that a
// commit costs one process, not ten.
//
// Pull requests (pulls.go) keep only what people say about commits: texts, labels, reviews, statuses. They follow the
// branches however those move, and merging (merge.go) is git's own. What protects a branch (protection.go) holds for every
// way in, in GitHub's words, can be set while the server runs, and lets a pull request wait until it is met.
//
// What a route answers is judged in playground/check/github by GitHub's OpenAPI description and by its GraphQL schema.
package github
