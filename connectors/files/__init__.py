"""Files: CSV, JSON and Parquet, local or over SFTP, with manifests.

In: a folder and a pattern. Out: Arrow batches; whole deliveries with a manifest.
One file that cannot be taken costs no other.
"""
