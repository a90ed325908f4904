// Package bench measures a whole server, built from this tree and run as a process of its own. The benchmarks
// are in its test files and the trials under fire in programs beside it; README.md says how to run them and what
// they showed. Benchmarks of one part are beside that part.
package bench
