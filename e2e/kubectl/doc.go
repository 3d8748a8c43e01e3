// Package kubectl holds no code, only the tests of the kubectl executor on a real
// cluster: ordinary lines, whose output is held byte for byte against kubectl's own
// (built from the very library that the executor has compiled in), the list of
// attacks, and changes, which are seen to happen after a confirmation and not before.
//
// Both programs are built from the executor's own module; nothing of kubectl's
// library is in this one.
package kubectl
