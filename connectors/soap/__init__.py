"""SOAP web services: paginated reading by an operation of a WSDL that lies beside the contracts.

In: a connection, a WSDL, an operation and its parameters. Out: Arrow batches of text. Nothing is
delivered by it. zeep makes the request; the answer is read piece by piece, and no tree is made of
it.
"""
