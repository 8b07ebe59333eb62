// Package check finds what stops a loop of Ringo in functions that run as tasks. Program looks at whole programs;
// Analyzer is for drivers of go/analysis, which look at one package after the other.
package check
