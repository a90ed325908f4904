//go:build assets

package assets

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var embedded embed.FS

var dist fs.FS = embedded
