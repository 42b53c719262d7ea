package bare

// Good has a comment.
type Good struct{}

type T struct{}

func (T) M() {}

func Bare() {}

const C = 1

// D has one.
const D = 2

func hidden() {}
