"""What decides a verdict, with numpy and scipy alone: a record of claims carries a copy of this folder."""
