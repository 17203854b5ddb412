import os, sys
import pytest
from tests.party_node.psi.test_killed import moments, small_buckets
from tests.party_node.psi import test_killed as T
def test_x(tmp_path, moments):
    n=0
    for role in ('receiver','sender'):
        for point in eval(os.environ['POINTS']):
            sys.__stderr__.write(f"{role} {point}\n"); sys.__stderr__.flush()
            T.check_a_death(tmp_path/f"{role}{n}", role, point); n+=1
