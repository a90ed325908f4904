// Package testserver starts real servers for tests, on free loopback ports and in directories that go away
// with them. It decides where the binaries are found, how a server is told to be quick rather than safe, and
// that none outlives the test process, however that ends. What is in a database it leaves to the tests.
package testserver
