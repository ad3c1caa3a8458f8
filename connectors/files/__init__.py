"""Files: CSV, JSON, Parquet, Excel, DBF, XML, fixed widths, ZIP; local, SFTP, FTPS; manifests.

In: a folder and a pattern. Out: Arrow batches; whole deliveries with a manifest.
One file that cannot be taken costs no other.
"""
