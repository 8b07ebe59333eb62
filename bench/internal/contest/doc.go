// Package contest is who competes with whom under which load, and what their samples say of that: ratios taken within
// rounds, with intervals, and verdicts.
package contest
