// Api lists what the frozen packages export, and compares it with the lists of the last release in the folder api: a
// line that has gone was promised, and is a mistake unless api/except has it, with the reason above. So is an exception
// that nothing needs, and an empty list.
//
//	api            compares
//	api -write     writes the lists, for a release
//
// A line is a name with its type, or a method, promoted ones among them, or a field with its tag; or says of a struct
// whose values programs have that they can be compared. Types of the module that programs can't name, but get from what
// they can, have lines, too. Behind a line are the systems, if it is not there on all that are looked at, which are
// amd64's. What is new is no mistake: a list is what may not go. The rules are in docs/versions.md.
package main
