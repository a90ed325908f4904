//go:build !assets

package assets

import "io/fs"

var dist fs.FS
