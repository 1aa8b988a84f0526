# An independent maximum: the 2F1 form by scipy, Nelder-Mead then BFGS polish, on the rounded CDNOW summary.
import numpy as np, pandas as pd
from scipy.special import hyp2f1, gammaln
from scipy.optimize import minimize
d=pd.read_csv('/work/shared/data/ecommerce/cdnow_customers_summary.csv'); x,tx,T=d.frequency.values,d.recency.values,d['T'].values
def nll(l):
    r,al,s,be=np.exp(l)
    if al>=be: F=lambda y: hyp2f1(r+s+x,s+1,r+s+x+1,(al-be)/(al+y))/(al+y)**(r+s+x)
    else: F=lambda y: hyp2f1(r+s+x,r+x,r+s+x+1,(be-al)/(be+y))/(be+y)**(r+s+x)
    return -np.sum(gammaln(r+x)-gammaln(r)+r*np.log(al)+s*np.log(be)+np.log((al+T)**-(r+x)*(be+T)**-s+s/(r+s+x)*(F(tx)-F(T))))
m=minimize(nll,np.log([.5,10,.6,10]),method='Nelder-Mead',options=dict(xatol=1e-10,fatol=1e-10,maxiter=20000,maxfev=20000))
print(np.exp(m.x),-m.fun, -nll(np.log([.553,10.578,.606,11.669])))
