// Package measure is what those share who measure: ringo bench, and the programs of module ringo/bench. Durations in a
// histogram, medians with intervals, and what the kernel has accounted to a process.
package measure
