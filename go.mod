module github.com/anteroom-id/anteroom

go 1.26.0
