// Package source is what travels between ferry and one of Botkube's sources, made
// from source.proto by `make proto`.
package source
