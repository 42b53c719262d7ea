// Package ldapservers starts real directories for tests: OpenLDAP's slapd and
// Samba as an Active Directory domain controller, from Debian's packages, on the
// loopback interface and in temporary folders. They end with the test.
//
// It owns how they are started, not what is tested. slapd runs without
// privileges; Samba needs root, because its ports are fixed.
package ldapservers
