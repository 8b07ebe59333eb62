// Package reach walks from the functions that run as tasks to the calls that stop a loop.
package reach
