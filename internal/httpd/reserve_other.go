//go:build !unix

package httpd

import "net"

// reserve does nothing where descriptors are not numbered.
func reserve(ln net.Listener) net.Listener { return ln }

func spare(ln net.Listener) net.Listener { return ln }
