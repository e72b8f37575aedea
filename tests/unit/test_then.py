from lab import recipe
from measure.record import then
from measure.steps.compose import RECOMMENDED, find_step


def test_each_old_measurement_says_who_when_and_what_it_is_compared_with():
    for source in then.sources():
        assert source.who
        assert source.when
        assert len([image for image in source.image if image.whole]) == 1
        for image in source.image:
            if image.now in recipe.available():
                continue
            step, _, variant = image.now.partition("/")
            assert find_step(step).variant(variant or RECOMMENDED)
