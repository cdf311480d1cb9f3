"""The lines that MySQL writes whenever it opens a query log: its program and version, its ports, the names of three columns."""

BANNER = (
    "Tcp port: ",
    "TCP Port: ",
    "Time                 Id Command    Argument",
    "Time                Id Command  Argument",
    "Time\t\t    Id Command\tArgument",
    "/rdsdbbin/",
    "/usr/sbin/mysqld, Version",
    "/usr/sbin/mariadbd, Version",
    "/usr/libexec/mysqld, Version",
    "/usr/local/mysql/bin/mysqld, Version",
    "/opt/mysql/server/bin/mysqld, Version",
    "mysqld, Version",
)
"""How they begin. RDS keeps the program in ``/rdsdbbin``."""
