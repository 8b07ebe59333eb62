// Api lists what the frozen packages export, and compares that with the lists of the last release in the folder api. A
// line that is gone was promised, so it is a mistake unless api/except has it, with the reason above it. An exception
// that is not needed, and an empty list, are mistakes, too.
//
//	api            compares
//	api -write     writes the lists, for a release
//
// A line is a name with its type, a method, which may be a promoted one, or a field with its tag; or it says that
// values of a struct can be compared. Types of the module that programs can't name but can get have lines, too. A line
// ends with the systems that have it, unless all systems that are looked at do; their architecture is amd64. New lines
// are no mistake: a list is what may not go. The rules are in docs/versions.md.
package main
