// Package assets is what browsers are given: the dashboard and the client's script, as built by `make assets`.
//
// A plain `go build` needs no Node and embeds neither; a build with the tag `assets` embeds the folder dist, which
// git ignores. Which of the two a binary is, Built tells.
package assets

import "io/fs"

// Built says whether this binary carries the dashboard and the script.
func Built() bool { return dist != nil }

// Dashboard returns the files of the dashboard, index.html first among them; nil when this binary has none.
func Dashboard() fs.FS { return sub("web") }

// SDK returns the client's files for script tags, presence.js among them; nil when this binary has none.
func SDK() fs.FS { return sub("sdk") }

func sub(name string) fs.FS {
	if dist == nil {
		return nil
	}
	files, err := fs.Sub(dist, "dist/"+name)
	if err != nil {
		panic(err) // the name is valid
	}
	return files
}
