print('site')
