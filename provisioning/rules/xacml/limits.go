package xacml

// The limits of what is read and evaluated. They are constants: a policy that
// needs more is one that somebody should look at.
const (
	MaxDocument   = 1 << 20 // bytes of one document
	MaxDepth      = 64      // of elements
	MaxElements   = 20_000  // of one document
	MaxAttributes = 16      // of one element
	MaxValue      = 64 << 10
	MaxPattern    = 1 << 10 // bytes of a regular expression
	MaxReferences = 16      // policies deep
	MaxDocuments  = 256     // of one rule set
	// MaxSteps bounds one evaluation. A step is a function call or the comparison
	// of two values.
	MaxSteps = 1_000_000
)
