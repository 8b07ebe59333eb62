// Package server has what the commands that serve have in common: where they listen, how their loops run, what they
// print, and how they end.
package server
