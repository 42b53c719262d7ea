package catalog

import "errors"

// The reasons for which a connector is refused. Compare with errors.Is.
var (
	// ErrNotFound means that the folder holds no such connector.
	ErrNotFound = errors.New("connector not found")
	// ErrSeveral means that several versions are installed, and none was named.
	ErrSeveral = errors.New("several versions of the connector are installed")
	// ErrUnsafeFile means that the file is nothing that may be executed: not a
	// regular executable file, open to changes by others, or outside the folder.
	ErrUnsafeFile = errors.New("connector file is not safe")
	// ErrDigestMismatch means that the bytes are not those that were approved, or
	// not those the manifest lists.
	ErrDigestMismatch = errors.New("connector is not the pinned one")
	// ErrPackage means that a package, or its manifest, is not valid.
	ErrPackage = errors.New("connector package is not valid")
	// ErrIncompatible means that the package is made for another system or speaks
	// no protocol version of this host.
	ErrIncompatible = errors.New("connector package does not fit this host")
	// ErrLock means that a lock file is not valid.
	ErrLock = errors.New("lock file is not valid")
)
