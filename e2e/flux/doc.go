// Package flux holds no code, only the test of the flux executor: the real plugin
// under the real host, asking a real Flux that follows a real Git repository.
package flux
