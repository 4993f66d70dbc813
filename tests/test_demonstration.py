"""What the demo says of itself is so."""

from wfops_pipelines.demonstration import ending


def test_a_demo_that_stops_offers_no_links_that_work():
    assert ending(once=True).startswith("It stops now (ONCE=1), and these links with it")
    assert "stops now" not in ending(once=False)
