// Package wire is what travels between ferry and a plugin, made from
// plugin.proto by `make proto`. Plugins in Go use the package api instead;
// plugins in other languages are made from plugin.proto.
package wire
