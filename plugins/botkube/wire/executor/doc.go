// Package executor is what travels between ferry and one of Botkube's executors, made
// from executor.proto by `make proto`.
package executor
