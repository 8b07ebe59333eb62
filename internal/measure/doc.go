// Package measure is what ringo bench and the programs of module ringo/bench share: histograms of durations, medians
// with intervals, and what the kernel has accounted to a process.
package measure
