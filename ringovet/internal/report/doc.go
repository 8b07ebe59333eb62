// Package report tells of findings, to people and to programs.
package report
