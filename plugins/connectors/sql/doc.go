// Package sql is the connector for accounts that are rows of a PostgreSQL
// database. The admin writes the statements; the connector binds the values.
//
// It owns the reading of statements, their check against the database, and the
// transaction each verb is. It does not own the table, nor the algorithm (the
// host decides when to look up, adopt, create or change). Roles of PostgreSQL
// itself are the business of package roles, beneath.
//
// # Statements
//
// A statement is one SQL statement with named parameters such as :login, which
// are bound and never pasted. Parameters are the attributes, :id, :active and
// :group; casts (::text) and what is in quotes or comments is left alone. A
// parameter without a value is NULL.
//
// lookup, get and list return accounts: a column "id", any columns with the names
// of attributes, and if there is one a boolean "active" and a "version". lookup
// gets :user_id or :login, and the other one is NULL, so that
//
//	where user_id = :user_id or lower(login) = lower(:login)
//
// finds either. create returns the new "id". update gets every attribute it has a
// parameter for: the new value, or the one that get has just read in the same
// transaction; it must change one row. set_active and delete get :id.
//
// An attribute that a statement has no parameter for is refused, never dropped.
//
// All statements are prepared before the first one runs, and the types of their
// parameters and columns are checked. The starting point is [Connector].
package sql
