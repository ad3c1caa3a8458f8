"""Files: CSV, JSON and Parquet, local or over SFTP, with manifests.

In: a folder and a pattern. Out: Arrow batches; deliveries with manifest, whole or not
at all.
One file that cannot be taken costs no other.
"""
