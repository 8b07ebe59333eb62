// Api lists what the frozen packages export, and compares it with the lists of the last release in the folder api: a
// line that has gone was promised, and is a mistake unless api/except has it, with the reason above.
//
//	api            compares
//	api -write     writes the lists, for a release
//
// A line is a name with its type, or a method, promoted ones among them, or a field. Behind it are the systems, if it
// is not there on all that are looked at. What is new is no mistake: a list is what may not go. The rules are in
// docs/versions.md.
package main
