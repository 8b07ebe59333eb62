// Package check finds calls that stop a loop of Ringo in functions that run as tasks. Program looks at whole programs;
// Analyzer is for drivers of go/analysis, which look at one package at a time.
package check
