// Package cli has what all commands of ringo share: flags and their mistakes, exit codes, signals, and what the tool
// was built from.
package cli
