// Initramfs writes the archive that a Linux kernel unpacks as its first file system.
//
//	initramfs -o FILE NAME=PATH... NAME/...
//
// puts the content of the file PATH at /NAME, with the mode of PATH, and makes an empty directory for a NAME that ends
// in a slash. It also makes the directories that a name is in. /dev/console is always there: the kernel opens it for
// its first process, before that process could make it.
//
// The format is "newc", the one that kernels unpack; see Documentation/driver-api/early-userspace/buffer-format.rst in
// the kernel's source. The archive is not compressed: each file is read once, by an emulated CPU for which copying is
// cheap and unpacking is not.
package main
