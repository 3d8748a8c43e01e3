// Package sources holds no code, only the test of the shipped sources on a real
// cluster: three of them under the real host, stopped and started again while
// things happen and while the API server restarts. Whatever was planted has to be
// told once, and resolved once.
package sources
