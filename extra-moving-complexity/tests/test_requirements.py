import check_requirements


def test_the_list_is_what_the_lock_says():
    assert check_requirements.differences() == []
